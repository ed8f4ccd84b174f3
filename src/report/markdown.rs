//! seam
/// Markdown.
pub fn render(_: &super::RecoveryReport) -> String {
    String::new()
}
