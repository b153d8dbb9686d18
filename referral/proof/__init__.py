"""The auditor's tools: pure functions over the entries of the log. No server, no clock, no key store."""
