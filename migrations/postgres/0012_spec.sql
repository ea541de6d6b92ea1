-- What the file of a sweep asks for, as it was checked when the sweep was made: canonical JSON, which is read without another
-- look at the file. Null in sweeps of before, whose file is read instead.
ALTER TABLE sweeps ADD COLUMN spec TEXT;
