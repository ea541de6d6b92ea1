use std::io::Write;

use super::{assert_complete_in_itself, assert_says, report, section, support::Home, worker::fail_jobs};

/// 40 samples of 2 by 2 in two classes.
fn npz() -> Vec<u8> {
    let npy = |shape: &str, values: Vec<u8>| {
        let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
        header.push('\n');
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &values].concat()
    };
    let pixels = (0..40u8).flat_map(|n| [n % 2 * 200, 255, n, 0]).collect();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, array) in
        [("arr_0", npy("(40, 2, 2)", pixels)), ("arr_1", npy("(40,)", (0..40).map(|n| n % 2).collect()))]
    {
        zip.start_file(format!("{name}.npy"), stored).unwrap();
        zip.write_all(&array).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn names_classes_and_errors_are_text_whatever_they_hold() {
    let home = Home::new();
    std::fs::write(home.path().join("d.npz"), npz()).unwrap();
    let file = home.write(
        "hostile.yaml",
        "name: hostile\ndescription: '</title><script>alert(1)</script> & \"more\"'\nmethod: grid\nparameters:\n  \
         learning_rate: {values: [0.01, 0.02, 0.03]}\n  epochs: {value: 1}\n\
         # </pre><img src=x onerror=alert(2)>\nbesom:\n  dataset:\n    source: d.npz\n    test_fraction: 0.5\n    \
         classes: ['<script>alert(3)</script>', '\"><img src=x onerror=alert(4)>']\n  model: {hidden: [4]}\n",
    );
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let at = ["--coordinator", &url];
    home.besom(["submit", file.to_str().unwrap(), at[0], at[1]]).expect(0);
    fail_jobs(&url, "<img src=x onerror=alert(5)>", 1, "</td></table><script src=//x>alert(6)</script>\u{1b}[31m");
    let _worker = home.start(["worker", "--slots", "1", at[0], at[1]]);
    home.besom(["watch", "hostile", at[0], at[1]]).expect(1);

    let page = report(&home, "hostile", &at);
    // The words ` src=` stand in it as text.
    assert_complete_in_itself(&page.replace(" src=x", " ").replace(" src=//x", " "));
    for tag in ["<script", "<img", "<b>", "<i>"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(!page.contains('\u{1b}'), "no control characters");
    let count = |what: &str| page.matches(what).count();
    for (n, part) in [
        (1, None),
        (2, Some("repeat")),
        (3, Some("swept")),
        (4, Some("confusion")),
        (5, Some("failures")),
        (6, Some("failures")),
    ] {
        let alert = format!("alert({n})");
        assert!(count(&alert) > 0, "{alert} is shown as text");
        if let Some(part) = part {
            assert_says(section(&page, part), &[&alert]);
        }
    }
}

#[test]
fn a_token_in_the_address_of_the_data_is_not_sent_along() {
    let home = Home::new();
    // Submitted from elsewhere: only its text is known here.
    super::run(&home, &super::tiny_sweep("secret", 1, 1));
    let swap = |sql: &str| {
        let status = std::process::Command::new("sqlite3").arg(home.path().join("besom.db")).arg(sql).status();
        assert!(status.unwrap().success());
    };
    let url = "https://me:PASSWORD@host/data.npz?token=SECRET";
    swap(&format!("UPDATE sweeps SET dataset_source = '{url}', text = replace(text, 'builtin:sketches', '{url}')"));
    let page = report(&home, "secret", &[]);
    assert!(!page.contains("PASSWORD") && !page.contains("SECRET"));
    assert_says(section(&page, "swept"), &["https://***@host/data.npz?***"]);
}
