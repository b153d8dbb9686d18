"""Certificates of services, agencies and operators: one offline root, one issuing authority for each of these planes."""
