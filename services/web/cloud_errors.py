"""How a Google service that refuses, or that cannot be reached, shows itself."""

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from requests.exceptions import RequestException

CLOUD_ERRORS = (GoogleAPIError, GoogleAuthError, RequestException, TimeoutError)
