"""What is said in a sound that goes on: turns of speech, and their words while they are spoken. No HTTP, no tensors."""
