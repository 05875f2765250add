"""Who speaks: voices found in a recording, words given to them, and figures of a conversation."""
