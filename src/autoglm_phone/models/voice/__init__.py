"""Text to speech: phonemes from the text, sound from the phonemes."""
