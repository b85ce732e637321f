//! No crate has a circle of files: files that all reach each other by their imports.

use devtools::structure::read_workspace;

use crate::workspace;

#[test]
fn no_crate_has_a_circle_of_files() {
    let circles: Vec<_> = read_workspace(workspace())
        .unwrap()
        .into_iter()
        .flat_map(|code| {
            code.circles()
                .into_iter()
                .map(move |circle| (code.name.clone(), circle))
        })
        .collect();
    assert!(
        circles.is_empty(),
        "`./dev structure --arrows` prints the imports: {circles:#?}"
    );
}
