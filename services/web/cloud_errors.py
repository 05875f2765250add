"""How a Google service that refuses, or that cannot be reached, shows itself."""

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from requests.exceptions import RequestException

CLOUD_ERRORS = (GoogleAPICallError, GoogleAuthError, RequestException, TimeoutError)
