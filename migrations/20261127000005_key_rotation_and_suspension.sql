-- Adds what the rotation of encryption keys, the suspension of companies and the credentials of API keys need.
--
-- The checks are validated by the next migration: here that would read the tables while their writers wait.

-- The ids of the encryption keys with which the process decrypts stored tokens. NULL: not published yet.
ALTER TABLE instance ADD COLUMN key_ids text[];
ALTER TABLE instance ADD CONSTRAINT instance_key_ids_check CHECK (array_position(key_ids, NULL) IS NULL) NOT VALID;

-- While it is set, every key of the company is refused.
ALTER TABLE company ADD COLUMN suspended_at timestamptz;

-- The names of the credentials that the key may use. NULL: those of its accounts that are defaults, if it has a list of
-- accounts, else all. Names, since one of them may come from the settings.
ALTER TABLE api_key ADD COLUMN credentials text[];
ALTER TABLE api_key ADD CONSTRAINT api_key_credentials_check CHECK (array_position(credentials, NULL) IS NULL) NOT VALID;
