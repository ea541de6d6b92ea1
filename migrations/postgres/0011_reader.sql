-- The password of the role that statements of readers log in as. The coordinator makes both; the
-- role can select from the views and from nothing else, so not from here.
CREATE TABLE reader (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    password TEXT NOT NULL
);
