//! Asking one DNS server for one name.
//!
//! In: a server, a name. Out: how many addresses it gives. Invariant: the system's resolver has no part in it: what a
//! cluster's own DNS says is what is asked.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

/// Any: the socket is connected, so that only the server asked can answer.
const ID: [u8; 2] = *b"dr";
/// Records that hold an address: IPv4 (RFC 1035, 3.4.1) and IPv6 (RFC 3596).
const TYPES: [u16; 2] = [1, 28];
/// Internet (RFC 1035, 3.2.4).
const CLASS: u16 = 1;

/// How many addresses of its first family that has any the server knows for a name (UDP). An alias is none.
///
/// # Errors
/// When nobody answers in time, or the answer is no: in words.
pub fn addresses(server: SocketAddr, name: &str, patience: Duration) -> Result<usize, String> {
    for kind in TYPES {
        match ask(server, name, kind, patience)? {
            0 => {}
            found => return Ok(found),
        }
    }
    Err("the name has no address".into())
}

fn ask(server: SocketAddr, name: &str, kind: u16, patience: Duration) -> Result<usize, String> {
    let failed = |e: std::io::Error| format!("{server} does not answer: {e}");
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.set_read_timeout(Some(patience)).map_err(failed)?;
    socket.connect(server).map_err(failed)?;
    socket.send(&query(name, kind)?).map_err(failed)?;
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).map_err(failed)?;
    read(&answer[..length], kind)
}

fn query(name: &str, kind: u16) -> Result<Vec<u8>, String> {
    // Recursion is desired; one question.
    let mut query = [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        query.push(length.ok_or_else(|| format!("`{name}` is no name of the DNS"))?);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend([kind.to_be_bytes(), CLASS.to_be_bytes()].concat());
    Ok(query)
}

/// How many records of the type an answer has.
fn read(answer: &[u8], kind: u16) -> Result<usize, String> {
    const CUT_OFF: &str = "the answer is cut off";
    let [id0, id1, _, flags, questions @ .., _, _, _, _] = *answer.first_chunk::<12>().ok_or(CUT_OFF)?;
    if [id0, id1] != ID {
        return Err("the answer is to another question".into());
    }
    match flags & 0x0f {
        0 => {}
        3 => return Err("there is no such name (NXDOMAIN)".into()),
        2 => return Err("the server failed (SERVFAIL)".into()),
        5 => return Err("the server refuses to answer (REFUSED)".into()),
        code => return Err(format!("the server answers with code {code}")),
    }
    let [asked0, asked1, records0, records1] = questions;
    let mut rest = &answer[12..];
    for _ in 0..u16::from_be_bytes([asked0, asked1]) {
        rest = behind_name(rest).and_then(|rest| rest.get(4..)).ok_or(CUT_OFF)?;
    }
    let mut found = 0;
    for _ in 0..u16::from_be_bytes([records0, records1]) {
        // Type, class, time to live, length, data (RFC 1035, 3.2.1).
        let (head, data) =
            behind_name(rest).and_then(|rest| rest.split_first_chunk::<10>()).ok_or(CUT_OFF)?;
        found += usize::from(u16::from_be_bytes([head[0], head[1]]) == kind);
        rest = data.get(usize::from(u16::from_be_bytes([head[8], head[9]]))..).ok_or(CUT_OFF)?;
    }
    Ok(found)
}

/// What follows a name: labels, ended by an empty one or by a pointer to others (RFC 1035, 4.1.4).
fn behind_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, labels) = rest.split_first()?;
        rest = match length {
            0 => return Some(labels),
            0xc0.. => return labels.get(1..),
            length => labels.get(usize::from(*length)..)?,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    const ALIAS: u16 = 5;

    /// A server that answers with this code; to a question for a type with the records of that type, and any alias.
    fn server(code: u8, records: &'static [u16]) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let asked = &question[..length];
                assert!(asked[12..].starts_with(b"\x04edge\x03lab\x00\x00"), "{asked:?}");
                let kind = u16::from_be_bytes([asked[length - 4], asked[length - 3]]);
                let mut answer = asked.to_vec();
                (answer[2], answer[3]) = (0x81, 0x80 | code);
                for record in records.iter().filter(|record| [kind, ALIAS].contains(record)) {
                    answer[7] += 1;
                    // The name of the question; an alias is a name, too.
                    let data: &[u8] = if *record == ALIAS { b"\x01x\xc0\x0c" } else { &[7; 16] };
                    answer.extend([&[0xc0, 12], &record.to_be_bytes()[..], &[0, 1, 0, 0, 0, 9, 0]].concat());
                    answer.push(data.len() as u8);
                    answer.extend(data);
                }
                socket.send_to(&answer, from).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_name_has_the_addresses_that_the_server_gives() {
        let asked = |code, records| addresses(server(code, records), "edge.lab", PATIENCE);
        assert_eq!(asked(0, &[ALIAS, 1, 1]), Ok(2));
        assert_eq!(asked(0, &[28]), Ok(1), "an address of IPv6 is one");
        for (code, records, why) in [
            (0, &[][..], "no address"),
            (0, &[ALIAS], "no address"), // it leads nowhere
            (3, &[], "NXDOMAIN"),
            (2, &[], "SERVFAIL"),
            (5, &[], "REFUSED"),
        ] {
            let said = addresses(server(code, records), "edge.lab.", PATIENCE).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let said = addresses(address, "edge.lab", Duration::from_millis(50)).unwrap_err();
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(addresses(address, "edge..lab", PATIENCE).unwrap_err().contains("edge..lab"));
        let lies = b"dr\x81\x80\0\x01\0\x01\0\0\0\0\x04edge\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x09";
        for cut_off in [&b"dr"[..], &lies[..12], &lies[..17], lies] {
            assert!(read(cut_off, 1).unwrap_err().contains("cut off"), "{cut_off:?}");
        }
        assert!(read(b"xx\0\0\0\0\0\0\0\0\0\0", 1).is_err());
    }
}
