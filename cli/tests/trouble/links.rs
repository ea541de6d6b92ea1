//! A store under several names.

use crate::support::Home;

#[test]
fn a_store_with_a_second_name_is_refused_by_either() {
    let home = Home::new();
    let (first, _) = home.coordinator::<&str>([]);
    let (database, link) = (home.path().join("besom.db"), home.path().join("link.db"));
    std::fs::hard_link(&database, &link).unwrap();
    let other = Home::new().with_variable("BESOM_STORE", &format!("sqlite:{}", link.display()));
    let refused = other.besom(["coordinator", "--listen", "127.0.0.1:0"]).expect(1);
    refused.says("has 2 names (hard links)").says("samefile");
    first.terminate().expect(0);
    home.besom(["coordinator", "--listen", "127.0.0.1:0"]).expect(1).says("has 2 names (hard links)");
    std::fs::remove_file(&link).unwrap();
    // What the log holds belongs to one database.
    let (wal, other) = (home.path().join("besom.db-wal"), home.path().join("other"));
    std::fs::write(&wal, b"").unwrap();
    std::fs::hard_link(&wal, &other).unwrap();
    home.besom(["coordinator", "--listen", "127.0.0.1:0"]).expect(1).says("besom.db-wal has 2 names");
    std::fs::remove_file(&other).unwrap();
    let (again, _) = home.coordinator::<&str>([]);
    again.terminate().expect(0);
}
