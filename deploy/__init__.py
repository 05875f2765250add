"""Brings Spotmill into a Google Cloud project and takes it away again.

Nothing but the standard library, gcloud and terraform: it runs before anything is installed, and in Cloud Build.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever deploys has whatever Python there is
    sys.exit("Deploying needs Python 3.11 or newer; set PYTHON=/path/to/python")
