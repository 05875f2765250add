"""The rooms of the image pipeline; ``worker.pipelines.image`` walks through them in order."""
