"""Contact sheets of the pictures in an archive: an example of a pipeline that lives outside Spotmill."""
