"""The event contract: which events reach the dispatcher, what our own messages look like, what Google sends."""
