DROP INDEX hold_waiting_for_user;
DROP INDEX hold_untold;
COMMENT ON COLUMN hold.heeded IS 'The account of the app was told to be looked at again since the decision.';
