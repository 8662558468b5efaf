-- One user for each role. Replace each <...-password-sha256> by the output of
--   printf %s "$password" | sha256sum | cut -d ' ' -f 1
-- (a statement whose placeholder is left is refused), and HOST ANY by the network the user comes from. Run it after
-- roles.sql; run again, it changes the passwords. No user has a right of its own, and none may grant one.

CREATE USER OR REPLACE custody_writer IDENTIFIED WITH sha256_hash BY '<writer-password-sha256>' HOST ANY DEFAULT ROLE custody_writer_role;

CREATE USER OR REPLACE custody_notary IDENTIFIED WITH sha256_hash BY '<notary-password-sha256>' HOST ANY DEFAULT ROLE custody_notary_role;

CREATE USER OR REPLACE custody_reader IDENTIFIED WITH sha256_hash BY '<reader-password-sha256>' HOST ANY DEFAULT ROLE custody_reader_role;

-- Short-lived: set VALID UNTIL to minutes from now, and drop the user when the partition is gone.
CREATE USER OR REPLACE custody_retention IDENTIFIED WITH sha256_hash BY '<retention-password-sha256>' VALID UNTIL '<retention-valid-until>' HOST ANY DEFAULT ROLE custody_retention_role;

CREATE USER OR REPLACE custody_migrator IDENTIFIED WITH sha256_hash BY '<migrator-password-sha256>' HOST ANY DEFAULT ROLE custody_migrator_role;
