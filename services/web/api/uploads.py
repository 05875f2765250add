"""Uploads: permission to send a file straight to Cloud Storage."""

from flask import Response

from services.web.backends import backends
from services.web.listing import API
from services.web.operations import Api, answer, caller
from services.web.shapes import NewUpload, Upload
from services.web.uploads import check_pipeline, permit

api = Api("uploads", API)


@api.operation(
    "POST", "/uploads", summary="Get a signed URL to upload one file to", body=NewUpload, answers={201: Upload}
)
def create_upload(body: NewUpload) -> Response:
    if body.pipeline is not None:
        with backends().transaction(caller()) as connection:
            check_pipeline(connection, body.pipeline)
    return answer(permit(body, caller(), backends()), 201)
