DROP TABLE change_checkpoint;
DROP TRIGGER account_state_next ON account;
DROP TRIGGER account_state_first ON account;
DROP FUNCTION note_account_state;
DROP TABLE account_state;
