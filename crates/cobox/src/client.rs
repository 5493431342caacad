//! Typed calls to the running program's API, for the command line and for tests.

use crate::api::bytes_in_url::encode;
use crate::api::types::*;
use crate::config::{ConfigError, Home};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;
use ureq::http::{Method, Request, Response, request};
use ureq::{Agent, AsSendBody, Body, SendBody};

/// Why a call was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing runs on this home.
    #[error("no cobox is running on {0}; start it with: cobox up")]
    NotRunning(String),
    /// The program said no.
    #[error("{}", .0.msg)]
    Refused(ErrorJson),
    /// The connection broke.
    #[error("the running cobox did not answer: {0}; what it reported as done before is safe")]
    Broken(String),
    /// Token or run file.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A connection to the program running on a home.
pub struct Client {
    agent: Agent,
    base: String,
    token: String,
}

impl Client {
    /// Finds the program that runs on this home.
    pub fn connect(home: &Home) -> Result<Self, ClientError> {
        let shown = home.path().display().to_string();
        let running = home
            .read_running()
            .ok_or(ClientError::NotRunning(shown.clone()))?;
        let token = home
            .read_token()
            .map_err(|_| ClientError::NotRunning(shown.clone()))?;
        let client = Self::new(running.port, token);
        match client.plain(Method::GET, "/auth") {
            // A run file that outlived its program.
            Err(ClientError::Broken(_)) => Err(ClientError::NotRunning(shown)),
            Err(ClientError::Refused(error)) if error.code == "wrong_token" => {
                Err(ClientError::NotRunning(shown))
            }
            Err(other) => Err(other),
            Ok(_) => Ok(client),
        }
    }

    fn new(port: u16, token: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .build();
        Self {
            agent: config.into(),
            base: format!("http://127.0.0.1:{port}/api"),
            token,
        }
    }

    /// `GET`, answered with JSON.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read_json(self.send(Method::GET, path, SendBody::none())?)
    }

    /// Any call with a JSON body, answered with JSON.
    pub fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        read_json(self.send_json(method, path, body)?)
    }

    /// Any call with a JSON body whose answer says nothing more.
    pub fn tell(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), ClientError> {
        self.send_json(method, path, body).map(drop)
    }

    /// `POST` of a body as it is, answered with JSON.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, ClientError> {
        read_json(self.send(Method::POST, path, body)?)
    }

    /// `POST` of a body as it is, answered with bytes.
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Result<impl Read + 'static, ClientError> {
        Ok(self
            .send(Method::POST, path, body)?
            .into_body()
            .into_reader())
    }

    /// Follows the server-sent events of a `POST`, each by its name (or `message`) and data, until `each` answers false or
    /// there are no more.
    pub fn follow(
        &self,
        path: &str,
        body: &[u8],
        mut each: impl FnMut(&str, &str) -> bool,
    ) -> Result<(), ClientError> {
        let answer = self.send(Method::POST, path, body)?.into_body();
        let (mut kind, mut data) = (String::from("message"), None);
        for line in BufReader::new(answer.into_reader()).lines() {
            let line = line.map_err(broken)?;
            if let Some(name) = line.strip_prefix("event:") {
                kind = name.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data:") {
                data = Some(text.trim_start().to_owned());
            } else if line.is_empty() {
                let goes_on = data.take().is_none_or(|data| each(&kind, &data));
                kind = "message".into();
                if !goes_on {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// `DELETE`, answered with JSON.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read_json(self.plain(Method::DELETE, path)?)
    }

    /// A call without body.
    pub fn plain(&self, method: Method, path: &str) -> Result<Response<Body>, ClientError> {
        self.send(method, path, SendBody::none())
    }

    /// Streams a body up.
    pub fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        mut source: impl Read,
    ) -> Result<T, ClientError> {
        // A refusal comes before the body is sent, and is heard.
        let request = self
            .request(Method::PUT, path)
            .header("expect", "100-continue");
        let body = SendBody::from_reader(&mut source);
        read_json(self.run(request.body(body).map_err(broken)?)?)
    }

    /// Streams an answer down.
    pub fn download(&self, path: &str) -> Result<impl Read + 'static, ClientError> {
        Ok(self
            .send(Method::GET, path, SendBody::none())?
            .into_body()
            .into_reader())
    }

    /// Runs a long job; each progress line is handed to `progress`.
    pub fn job(
        &self,
        path: &str,
        body: &impl Serialize,
        mut progress: impl FnMut(JobProgress),
    ) -> Result<JobDone, ClientError> {
        let response = self.send_json(Method::POST, path, body)?;
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line.map_err(broken)?;
            match serde_json::from_str(&line).map_err(broken)? {
                JobLine::Progress(now) => progress(now),
                JobLine::Done(done) => return Ok(done),
                JobLine::Error(error) => return Err(ClientError::Refused(error)),
            }
        }
        Err(ClientError::Broken(
            "it stopped before the work was done".into(),
        ))
    }

    /// Follows live events until `each` answers false or the program stops.
    pub fn events(
        &self,
        path: &str,
        mut each: impl FnMut(EventJson) -> bool,
    ) -> Result<(), ClientError> {
        for line in BufReader::new(self.download(path)?).lines() {
            let line = line.map_err(broken)?;
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            if let Ok(event) = serde_json::from_str(data.trim_start())
                && !each(event)
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Response<Body>, ClientError> {
        let body = serde_json::to_vec(body).map_err(broken)?;
        self.send(method, path, &body[..])
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, ClientError> {
        self.run(self.request(method, path).body(body).map_err(broken)?)
    }

    fn request(&self, method: Method, path: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
    }

    fn run(&self, request: Request<impl AsSendBody>) -> Result<Response<Body>, ClientError> {
        let response = self.agent.run(request).map_err(broken)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(response))
        }
    }
}

/// `/spaces/<name or address>/<rest>` with the name escaped.
pub fn in_space(space: &str, rest: &str) -> String {
    format!(
        "/spaces/{}{rest}",
        encode(space.as_bytes()).replace('/', "%2F")
    )
}

fn read_json<T: DeserializeOwned>(response: Response<Body>) -> Result<T, ClientError> {
    serde_json::from_reader(response.into_body().into_reader()).map_err(broken)
}

fn refusal(response: Response<Body>) -> ClientError {
    let status = response.status();
    let errors: Result<ErrorsJson, _> = serde_json::from_reader(response.into_body().into_reader());
    match errors.ok().and_then(|all| all.errors.into_iter().next()) {
        Some(error) => ClientError::Refused(error),
        None => ClientError::Broken(status.to_string()),
    }
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}
