DROP INDEX vendor_token_renewal;
DROP TABLE consent_request, setup_link, oauth_client;
