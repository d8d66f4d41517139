"""Message formats: bytes in, messages and records out. No Spark here."""
