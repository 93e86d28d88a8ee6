DROP INDEX resource_no_user_name;
DROP INDEX resource_no_display_name;
