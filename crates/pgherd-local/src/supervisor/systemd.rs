//! A unit for systemd.

use std::path::Path;

use super::AgentOptions;

/// The text of a unit that runs the agent at every boot. Ending or restarting the unit leaves PostgreSQL running.
pub fn unit(program: &Path, options: &AgentOptions) -> String {
    let quoted =
        |text: &std::ffi::OsStr| format!("\"{}\"", text.to_string_lossy().replace('%', "%%").replace('"', "\\\""));
    let args = AgentOptions { announce: false, ..options.clone() }.to_args();
    let command: Vec<String> =
        std::iter::once(program.as_os_str()).chain(args.iter().map(AsRef::as_ref)).map(quoted).collect();
    format!(
        "# pgherd agent --systemd > /etc/systemd/system/pgherd.service && systemctl enable --now pgherd\n\
         [Unit]\n\
         Description=pgherd agent: keeps the PostgreSQL instances of {state} as they were asked for\n\
         After=network.target local-fs.target\n\
         RequiresMountsFor=\"{state}\"\n\
         # Never give up on it.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         ExecStart={command}\n\
         Restart=always\n\
         RestartSec=1\n\
         # PostgreSQL goes on without the agent and is taken over by the next one; the default would kill both.\n\
         KillMode=process\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        state = options.paths.state.display(),
        command = command.join(" "),
    )
}
