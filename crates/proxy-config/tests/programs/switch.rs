//! Blue and green under load: no request is lost.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use seaworthy_core::{Applied, ConfigRenderer, Context, ErrorKind, Name, apply};
use seaworthy_proxy_config::{NginxInstaller, NginxRenderer, Web};

use crate::lab::{Lab, free_port, nginx_target, upstream};

const LIMIT: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

async fn install(web: &Web, cx: &Context) -> NginxInstaller {
    let installer = NginxInstaller::new(web).unwrap();
    let files = NginxRenderer::new(nginx_target()).render(web).unwrap();
    let applied = apply(&installer.generations(), files, &installer, cx).await.unwrap();
    assert_eq!(applied, Applied::Changed);
    installer
}

/// One request over a connection of its own: the first line of the body.
fn ask(port: u16) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    let request = b"GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("cut off")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head.to_owned());
    }
    Ok(body.lines().next().unwrap_or_default().to_owned())
}

/// A server that tells when it was asked for `/x`, and answers when it is told to.
fn slow() -> (u16, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((asked, was_asked), (answer, may_answer)) = (mpsc::channel(), mpsc::channel());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            // The proof of an installation asks for "/".
            if line.starts_with("GET /x ") {
                asked.send(()).unwrap();
                may_answer.recv().unwrap();
            }
            (&stream).write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nslow").unwrap();
        }
    });
    (port, was_asked, answer)
}

fn text(blue: u16, green: u16) -> String {
    format!(
        "[proxy]\n[site.a]\nhosts = [\"a.example\"]\n[[site.a.routes]]\npath = \"/\"\n\
         proxy = {{ to = [{{ upstream = \"app\" }}] }}\n\
         [upstream.app]\nactive = \"blue\"\nhealth = \"/health\"\n\
         pools = {{ blue = [\"127.0.0.1:{blue}\"], green = [\"127.0.0.1:{green}\"] }}\n"
    )
}

fn started() -> Lab {
    let mut lab = Lab::new();
    lab.write_foreign_main();
    // nginx needs something to listen on before ours is there.
    let main = std::fs::read_to_string(lab.path("etc/nginx.conf")).unwrap();
    let server =
        format!("http {{ server {{ listen 127.0.0.1:{}; server_name x.example; }}", lab.http);
    lab.write("etc/nginx.conf", main.replacen("http {", &server, 1));
    lab.start();
    lab
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_under_load_loses_no_request() {
    let lab = started();
    let cx = Context::new();
    let mut web = lab.web(&text(upstream("blue"), upstream("green")));
    install(&web, &cx).await;
    let (stop, port) = (Arc::new(AtomicBool::new(false)), lab.http);
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    answers.push(ask(port));
                }
                answers
            })
        })
        .collect();
    for to in ["green", "blue", "green"] {
        let upstream = web.switch(&name("a"), &name(to)).unwrap();
        let pool = &web.upstreams[&upstream];
        NginxInstaller::wait_until_well(&web, pool, LIMIT, &cx).await.unwrap();
        let installer = install(&web, &cx).await;
        assert!(installer.wait_until_drained(LIMIT, &cx).await.unwrap());
        assert_eq!(ask(port).unwrap(), to);
    }
    stop.store(true, Ordering::Relaxed);
    let answers: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let dropped: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(dropped.is_empty(), "{} of {} are dropped: {dropped:?}", dropped.len(), answers.len());
    for colour in ["blue", "green"] {
        assert!(answers.iter().any(|answer| answer.as_deref() == Ok(colour)), "no {colour}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_at_work_is_finished_by_the_old_pool() {
    let lab = started();
    let cx = Context::new();
    let (blue, was_asked, answer) = slow();
    let mut web = lab.web(&text(blue, upstream("green")));
    install(&web, &cx).await;
    let port = lab.http;
    let client = thread::spawn(move || ask(port));
    was_asked.recv().unwrap();
    web.switch(&name("a"), &name("green")).unwrap();
    let installer = install(&web, &cx).await;
    assert_eq!(ask(port).unwrap(), "green");
    answer.send(()).unwrap();
    assert_eq!(client.join().unwrap().unwrap(), "slow");
    assert!(installer.wait_until_drained(LIMIT, &cx).await.unwrap());
}

#[tokio::test]
async fn a_pool_that_is_not_well_is_not_switched_to() {
    let lab = Lab::new();
    let cx = Context::new();
    let mut web = lab.web(&text(upstream("blue"), free_port()));
    let upstream_name = web.switch(&name("a"), &name("green")).unwrap();
    let pool = &web.upstreams[&upstream_name];
    let error = NginxInstaller::wait_until_well(&web, pool, Duration::ZERO, &cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let sick = text(upstream("blue"), upstream("green")).replace("/health", "/missing");
    let mut web = lab.web(&sick);
    web.switch(&name("a"), &name("green")).unwrap();
    let pool = &web.upstreams[&name("app")];
    let error = NginxInstaller::wait_until_well(&web, pool, Duration::ZERO, &cx).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    for (site, to, word) in [("b", "green", "sites are a"), ("a", "red", "pools are blue, green")] {
        let error = web.switch(&name(site), &name(to)).unwrap_err();
        assert!(error.remedy().unwrap().contains(word), "{error:?}");
    }
}
