"""`referral ca`: keep the authority that signs the certificates of services, agencies and operators."""
