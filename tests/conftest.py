"""Tests never assert on time: a noisy machine may take as long as it takes for an example."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
