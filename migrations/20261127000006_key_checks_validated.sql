-- Validates the checks of the previous migration, which blocks neither readers nor writers.
ALTER TABLE instance VALIDATE CONSTRAINT instance_key_ids_check;
ALTER TABLE api_key VALIDATE CONSTRAINT api_key_credentials_check;
