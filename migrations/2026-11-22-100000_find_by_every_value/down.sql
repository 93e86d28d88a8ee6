DROP FUNCTION scim_key;
DROP INDEX change_version;
DROP INDEX change_at;
DROP INDEX membership_display;
DROP INDEX membership_of_groups;
