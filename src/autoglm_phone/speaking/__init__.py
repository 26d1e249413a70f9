"""The voice process and its door: texts in, sound out, sentence by sentence."""
