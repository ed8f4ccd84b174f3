//! seam
/// HTML.
pub fn render(_: &super::RecoveryReport) -> String {
    String::new()
}
