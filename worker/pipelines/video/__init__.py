"""The rooms of the video pipeline; ``pipeline.py`` walks through them."""
