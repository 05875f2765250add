"""Brings Spotmill into a Google Cloud project and takes it away again.

Nothing but the standard library, gcloud and terraform: it runs before anything is installed, and in Cloud Build.
"""
