//! What other programs read of the command line: completions for shells, the manual page.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::{args::Cli, console::print};

const FILES: &str = r"
.SH FILES
.TP
\fI$XDG_STATE_HOME/gannet/history\fR
The lines typed at the menu's prompt, by default in \fI~/.local/state\fR.
.TP
\fI$XDG_CONFIG_HOME/gannet/secret_key\fR
This user's key pair, by default in \fI~/.config\fR as the next two. Whoever has it is this user.
.TP
\fI$XDG_CONFIG_HOME/gannet/authorized_clients\fR
Who else may do what at this user's servers: lines of a key, a role (\fBread\fR, \fBdrop\fR, \fBwrite\fR or
\fBadmin\fR), and perhaps \fBdir=\fR\fIPATH\fR and \fBmax=\fR\fISIZE\fR. A change takes effect at once.
.TP
\fI$XDG_CONFIG_HOME/gannet/known_servers\fR
The servers that this user's clients have met: lines of \fIHOST:PORT\fR and a key.
.TP
\fI.gannet-*.part\fR, \fI.gannet-*.journal\fR
What is there of a file that is being received, beside its target. The next transfer of the same file goes on with it;
\fBgannet partials\fR shows and removes it.
.SH ENVIRONMENT
.TP
\fBGANNET_LOG\fR
What is logged on standard error, in place of \fB\-v\fR and \fB\-q\fR: \fBerror\fR, \fBwarn\fR, \fBinfo\fR,
\fBdebug\fR, \fBtrace\fR, or a level for one part, as in \fBgannet_driver_mio=debug\fR.
.TP
\fBGANNET_CONFIG\fR
The directory of the key and the two lists, unless \fB\-\-config\fR names one.
";

/// Prints what `shell` reads to complete gannet's commands.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    let mut page = Vec::new();
    generate(shell, &mut Cli::command(), "gannet", &mut page);
    print(String::from_utf8_lossy(&page))
}

/// Prints the manual page: the command's, with a part for each of its subcommands.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn manual() -> io::Result<()> {
    let mut page = Vec::new();
    write_manual(&mut page)?;
    print(String::from_utf8_lossy(&page))
}

fn write_manual(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<Command> = command.get_subcommands().cloned().collect();
    let man = Man::new(command).manual("User Commands");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    page.write_all(b".SH COMMANDS\n")?;
    for subcommand in subcommands {
        page.write_all(&part(subcommand)?)?;
    }
    page.write_all(FILES.trim_start().as_bytes())?;
    man.render_extra_section(page)
}

/// A subcommand's synopsis, description and options, with their headings a level lower.
fn part(subcommand: Command) -> io::Result<Vec<u8>> {
    let name = subcommand.get_name().to_owned();
    let told_once = |arg: &Arg| arg.is_global_set() || arg.get_id() == "help";
    let man = Man::new(subcommand.mut_args(|arg| {
        let hidden = told_once(&arg);
        arg.hide(hidden)
    }));
    let mut part = format!(".SS \"gannet {name}\"\n").into_bytes();
    man.render_synopsis_section(&mut part)?;
    man.render_description_section(&mut part)?;
    man.render_options_section(&mut part)?;
    let text = String::from_utf8_lossy(&part);
    let lines = text.lines().map(|line| if line.starts_with(".SH") { ".PP" } else { line });
    Ok(lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes())
}
