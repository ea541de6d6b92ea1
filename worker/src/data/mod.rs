//! Datasets in memory.

/// What a dataset is.
#[derive(Debug, Clone)]
pub struct Header {
    /// Values a row.
    pub features: u32,
    /// Class names in label order.
    pub classes: Vec<String>,
    /// Rows of the training split.
    pub train: u32,
    /// Rows of the test split.
    pub test: u32,
    /// Largest value of the training split.
    pub max: u8,
}

/// Rows and labels.
#[derive(Debug, Clone)]
pub struct Dataset {
    header: Header,
    rows: Vec<u8>,
    labels: Vec<u8>,
}

impl Dataset {
    /// From parts.
    pub fn new(header: Header, rows: Vec<u8>, labels: Vec<u8>) -> Self {
        Self { header, rows, labels }
    }
    /// What it is.
    pub fn header(&self) -> &Header {
        &self.header
    }
    /// Training rows first, then test rows.
    pub fn rows(&self) -> &[u8] {
        &self.rows
    }
    /// A class index a row.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}
