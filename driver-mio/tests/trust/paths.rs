//! Where files are.

use std::{env, fs, path::Path, process::Command};

use gannet_driver_mio::trust::Paths;

use crate::world::{World, mode, set_mode};

/// Set for the process that finds its paths.
const CHILD: &str = "GANNET_TEST_PATHS";

/// What a process with these variables finds: config and state.
fn found(config: Option<&str>, variables: &[(&str, &str)]) -> [String; 2] {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "paths::paths_are_where_users_expect_them", "--nocapture"]);
    for name in ["GANNET_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        child.env_remove(name);
    }
    child.env("HOME", "/home/user").env(CHILD, config.unwrap_or_default());
    child.envs(variables.iter().copied());
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let line = |name: &str| {
        let found = output.lines().find_map(|line| line.split_once(name));
        found.unwrap_or_else(|| panic!("{output}")).1.to_owned()
    };
    [line("config="), line("state=")]
}

#[test]
fn paths_are_where_users_expect_them() {
    if let Ok(config) = env::var(CHILD) {
        let config = (!config.is_empty()).then_some(Path::new(&config));
        let paths = Paths::find(config).unwrap();
        println!("\nconfig={}\nstate={}", paths.config().display(), paths.state().display());
        return;
    }
    let usual = ["/home/user/.config/gannet", "/home/user/.local/state/gannet"];
    assert_eq!(found(None, &[]), usual);
    assert_eq!(found(None, &[("GANNET_CONFIG", "")]), usual);
    let xdg = [("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")];
    assert_eq!(found(None, &xdg), ["/c/gannet", "/s/gannet"]);
    let named = [xdg[0], xdg[1], ("GANNET_CONFIG", "/mine")];
    assert_eq!(found(None, &named), ["/mine", "/s/gannet"]);
    assert_eq!(found(Some("/flag"), &named), ["/flag", "/s/gannet"]);
}

#[test]
fn directories_are_made_for_their_user_alone() {
    let world = World::prepared();
    for path in ["a", "a/config", "b", "b/state"] {
        assert_eq!(mode(&world.path(path)), 0o700, "{path}");
    }
    set_mode(world.paths.config(), 0o755);
    world.paths.prepare_config().unwrap();
    assert_eq!(mode(world.paths.config()), 0o755, "what is there is left as it is");
    set_mode(world.paths.state(), 0o777);
    let told = world.paths.prepare_state().unwrap_err().to_string();
    assert!(told.contains("b/state") && told.contains("chmod go-w"), "{told}");
}

#[test]
fn a_file_in_the_way_is_told() {
    let world = World::new();
    fs::write(world.path("a"), "").unwrap();
    let told = world.paths.prepare_config().unwrap_err().to_string();
    assert!(told.contains("a/config"), "{told}");
}
