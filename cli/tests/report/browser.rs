//! The page in a real Chromium, which `scripts/test` installs.

use std::{collections::HashSet, fs, path::Path, process::Command};

use super::{
    report, run,
    support::{Ended, Home, Process, tiny_sweep},
};

/// Starts Chromium without a window on a file of `home`, waits for its end, and shows everything
/// where it fails.
fn chromium(home: &Home, file: &Path, more: &[&str]) -> Ended {
    let profile = tempfile::tempdir_in(home.path()).unwrap();
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]);
    // What the page's console says goes to stderr; a frame's page may be read by the one around it.
    command.args(["--enable-logging=stderr", "--log-level=0", "--allow-file-access-from-files"]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(more);
    command.arg(format!("file://{}", file.display()));
    Process::start(command).wait().expect(0)
}

/// What the page's console says.
fn console(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter(|line| line.contains(":CONSOLE")).collect()
}

/// Width and pixels of three bytes.
fn screenshot(home: &Home, page: &Path, width: u32, height: u32, more: &[&str]) -> Vec<[u8; 3]> {
    let out = home.path().join("shot.png");
    let (size, shot) = (format!("--window-size={width},{height}"), format!("--screenshot={}", out.display()));
    let args = [&[size.as_str(), shot.as_str()], more].concat();
    let ended = chromium(home, page, &args);
    assert!(console(&ended).is_empty(), "{ended}");
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(&out).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.width, info.height), (width, height));
    let samples = info.color_type.samples();
    bytes[..info.buffer_size()].chunks_exact(samples).map(|p| [p[0], p[1], p[2]]).collect()
}

fn home_with_report() -> (Home, std::path::PathBuf) {
    let home = Home::new();
    let text = tiny_sweep("tiny", 3, 2).replace("  batch_size: {value: 32}", "  batch_size: {values: [16, 32]}");
    run(&home, &text.replace("{hidden: [8]}\n", "{hidden: [8]}\n  seeds: 2\n"));
    report(&home, "tiny", &[]);
    let page = home.path().join("report.html");
    (home, page)
}

#[test]
fn a_browser_shows_every_section_and_its_console_is_silent() {
    let (home, page) = home_with_report();
    let ended = chromium(&home, &page, &["--dump-dom"]);
    assert!(console(&ended).is_empty(), "{ended}");
    let dom = &ended.stdout;
    for id in ["swept", "ranking", "figures", "predictions", "confusion", "statistics", "failures", "repeat"] {
        assert!(dom.contains(&format!("<section id=\"{id}\">")) && dom.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    assert_eq!(dom.matches("<svg ").count(), dom.matches("</svg>").count());
    assert_eq!(dom.matches("<svg ").count(), 7, "five figures, predictions and confusion");
    // That the console would be heard.
    let loud = home.write(
        "loud.html",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\"><script>1</script>",
    );
    assert!(!console(&chromium(&home, &loud, &["--dump-dom"])).is_empty());
}

#[test]
fn it_is_light_or_dark_as_the_reader_prefers_and_never_blank() {
    let (home, page) = home_with_report();
    let looks = [("--blink-settings=preferredColorScheme=1", true), ("--blink-settings=preferredColorScheme=0", false)];
    for (preference, light) in looks {
        let pixels = screenshot(&home, &page, 1280, 3000, &[preference]);
        let ground = pixels[0];
        assert_eq!(ground.iter().all(|&value| value > 200), light, "{ground:?}");
        assert_eq!(ground.iter().all(|&value| value < 60), !light, "{ground:?}");
        let colors: HashSet<_> = pixels.iter().collect();
        let other = pixels.iter().filter(|&&pixel| pixel != ground).count();
        assert!(colors.len() > 200 && other > pixels.len() / 50, "{} colours, {other} pixels", colors.len());
        // Figures lie on white in either: the lower half has them.
        let white = pixels[pixels.len() / 2..].iter().filter(|&&pixel| pixel == [255; 3]).count();
        assert!(white > pixels.len() / 10, "{white} white pixels");
    }
}

#[test]
fn the_page_never_scrolls_sideways_and_its_wide_parts_do() {
    let (home, page) = home_with_report();
    for width in [360, 390, 768, 1280] {
        let name = page.file_name().unwrap().to_str().unwrap();
        let frame = home.write(
            "frame.html",
            &format!(
                "<iframe id=f src={name} style='width:{width}px;height:900px;border:0'></iframe><script>\
                 f.onload = () => {{ const d = f.contentDocument; const over = s => \
                 [...d.querySelectorAll(s)].filter(e => e.scrollWidth > e.clientWidth).length; \
                 document.title = `wide ${{d.documentElement.scrollWidth}} of ${{f.contentWindow.innerWidth}}, \
                 scrolling ${{over('.wide')}} ${{over('.card')}}`; }}</script>"
            ),
        );
        let dom = chromium(&home, &frame, &["--dump-dom", "--window-size=1400,1000"]).stdout;
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
        let numbers: Vec<u32> = title
            .unwrap_or_else(|| panic!("no title in {dom}"))
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [wide, window, tables, figures] = numbers[..] else { panic!("{title:?}") };
        assert!(window == width && wide <= window, "{title:?}");
        if width < 400 {
            assert!(tables > 0 && figures > 0, "{title:?}");
        } else if width > 1000 {
            assert_eq!(figures, 0, "{title:?}");
        }
    }
}

#[test]
fn it_prints_to_pages() {
    let (home, page) = home_with_report();
    let out = home.path().join("report.pdf");
    chromium(&home, &page, &["--no-pdf-header-footer", &format!("--print-to-pdf={}", out.display())]);
    let pdf = fs::read(out).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let pages =
        pdf.windows(12).filter(|window| window == b"/Type /Page\n" || window.starts_with(b"/Type /Page/")).count();
    assert!((3..30).contains(&pages), "{pages} pages");
}
