"""Speech to text: decode, find speech, cut it into clips, recognise them, merge what was heard into a transcript."""
