"""The media process and its door: hostile bytes in, readings out, away from everything else."""
