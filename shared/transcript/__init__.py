"""What a recording says: its words with their times and speakers, and what people read of it."""
