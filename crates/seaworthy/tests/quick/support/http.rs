//! An HTTP server that keeps what it is sent and answers what it is told to.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its method and path, such as `POST /x?y`.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The server; its thread ends with the process.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    /// A server that answers 200, unless it is told otherwise.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { address, requests: Arc::default(), answers: Arc::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream.unwrap()));
            }
        });
        server
    }

    /// Answers this next, such as `503 Busy\r\nretry-after: 1`; `never` keeps the line open.
    pub(crate) fn answer(&self, answer: &str) {
        self.answers.lock().unwrap().push_back(answer.to_owned());
    }

    /// What arrived since this was last asked.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        loop {
            let mut target = String::new();
            if reader.read_line(&mut target).unwrap_or(0) == 0 {
                return;
            }
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                headers.push((name.to_owned(), value.to_owned()));
            }
            let target = target.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
            let mut request = Request { target, headers, body: String::new() };
            let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            request.body = String::from_utf8(body).unwrap();
            self.requests.lock().unwrap().push(request);
            let answer = self.answers.lock().unwrap().pop_front();
            match answer.as_deref() {
                Some("never") => {
                    // Until the other side hangs up.
                    let _ = reader.read_to_end(&mut Vec::new());
                    return;
                }
                answer => {
                    let answer = answer.unwrap_or("200 OK");
                    let body = "said by the server";
                    let head =
                        format!("HTTP/1.1 {answer}\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = writer.write_all(format!("{head}{body}").as_bytes());
                }
            }
        }
    }
}
