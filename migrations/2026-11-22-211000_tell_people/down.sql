DROP TABLE invitation;
DROP TABLE message;
DROP TABLE subscription;
DROP TABLE template;
DROP TABLE recipient;
DROP TABLE notice_setting;
