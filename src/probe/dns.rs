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
/// Type A, class IN (RFC 1035, 3.2.2 and 3.2.4).
const QUESTION: [u8; 4] = [0, 1, 0, 1];

/// How many addresses the server knows for a name (RFC 1035; UDP, IPv4).
///
/// # Errors
/// When nobody answers in time, or the answer is no: in words.
pub fn addresses(server: SocketAddr, name: &str, patience: Duration) -> Result<u16, String> {
    let failed = |e: std::io::Error| format!("{server} does not answer: {e}");
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.set_read_timeout(Some(patience)).map_err(failed)?;
    socket.connect(server).map_err(failed)?;
    socket.send(&query(name)?).map_err(failed)?;
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).map_err(failed)?;
    read(&answer[..length])
}

fn query(name: &str) -> Result<Vec<u8>, String> {
    // Recursion is desired; one question.
    let mut query = [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        query.push(length.ok_or_else(|| format!("`{name}` is no name of the DNS"))?);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend(QUESTION);
    Ok(query)
}

fn read(answer: &[u8]) -> Result<u16, String> {
    let [id0, id1, _, flags, _, _, answers0, answers1, ..] = *answer else {
        return Err("the answer is cut off".into());
    };
    if [id0, id1] != ID {
        return Err("the answer is to another question".into());
    }
    match (flags & 0x0f, u16::from_be_bytes([answers0, answers1])) {
        (0, 0) => Err("the name has no address".into()),
        (0, answers) => Ok(answers),
        (3, _) => Err("there is no such name (NXDOMAIN)".into()),
        (2, _) => Err("the server failed (SERVFAIL)".into()),
        (5, _) => Err("the server refuses to answer (REFUSED)".into()),
        (code, _) => Err(format!("the server answers with code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A server that answers one question with this code and number of answers.
    fn server(code: u8, answers: u8) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut question = [0; 512];
            let (length, from) = socket.recv_from(&mut question).unwrap();
            let asked = &question[..length];
            assert!(asked.ends_with(b"\x04edge\x03lab\x00\x00\x01\x00\x01"), "{asked:?}");
            let mut answer = asked.to_vec();
            (answer[2], answer[3], answer[7]) = (0x81, 0x80 | code, answers);
            socket.send_to(&answer, from).unwrap();
        });
        address
    }

    #[test]
    fn a_name_has_the_addresses_that_the_server_gives() {
        assert_eq!(addresses(server(0, 2), "edge.lab", PATIENCE), Ok(2));
        for (code, answers, why) in
            [(0, 0, "no address"), (3, 0, "NXDOMAIN"), (2, 0, "SERVFAIL"), (5, 0, "REFUSED")]
        {
            let said = addresses(server(code, answers), "edge.lab.", PATIENCE).unwrap_err();
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
        assert!(read(b"dr").is_err() && read(b"xx\0\0\0\0\0\0").is_err());
    }
}
