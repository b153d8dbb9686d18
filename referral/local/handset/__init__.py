"""The stand-in for telephones on a local stack: its calls and SMS, its page, and the sound of a call."""
