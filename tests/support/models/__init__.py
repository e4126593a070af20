"""Networks and trainings small enough for tests."""
