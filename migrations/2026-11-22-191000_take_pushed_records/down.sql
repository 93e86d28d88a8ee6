DROP TABLE push_page;
DROP TABLE push_session;
