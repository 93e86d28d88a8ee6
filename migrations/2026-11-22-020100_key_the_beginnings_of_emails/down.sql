-- Nothing: keys that nobody asks for do no harm.
SELECT 1;
