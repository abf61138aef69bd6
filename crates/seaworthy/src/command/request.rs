//! What ties a command's request, its name and its result together, for frontends of all kinds.

use std::future::Future;

use seaworthy_core::Context;
use serde::Serialize;

use crate::{Reply, Seaworthy};

/// What a command is asked for. It can be read from JSON, and with the feature `clap` from a command
/// line.
pub trait Request: Send + Sync + 'static {
    /// The command's name in documents, such as `cert renew`.
    const NAME: &'static str;
    /// What the command finds or does.
    type Result: Serialize + Send + Sync + 'static;

    /// Does what it asks for. Nobody is asked anything: what needs a confirmation has it in the
    /// request.
    fn run(
        &self,
        seaworthy: &Seaworthy,
        cx: &Context,
    ) -> impl Future<Output = Reply<Self::Result>> + Send;
}

/// Something that runs requests and does something with what they give, such as printing it.
pub trait Frontend: Sync {
    /// What it makes of each.
    type Output: Send;
}

/// A frontend that can run requests of the type `R`.
pub trait Answer<R: Request>: Frontend {
    /// Runs `request`.
    fn answer(&self, request: R) -> impl Future<Output = Self::Output> + Send;
}

/// A request, or one of several, that the frontend `F` can run.
pub trait Dispatch<F: Frontend>: Send {
    /// Lets `frontend` run it.
    fn dispatch(self, frontend: &F) -> impl Future<Output = F::Output> + Send;
}

impl<R: Request, F: Answer<R>> Dispatch<F> for R {
    fn dispatch(self, frontend: &F) -> impl Future<Output = F::Output> + Send {
        frontend.answer(self)
    }
}

/// A request, or one of several, with a name.
pub trait Named {
    /// The command's name in documents, such as `cert renew`.
    fn name(&self) -> &'static str;
}

impl<R: Request> Named for R {
    fn name(&self) -> &'static str {
        R::NAME
    }
}

/// Implements [`Request`] by a function of [`Seaworthy`].
macro_rules! request {
    ($request:ty, $name:literal, $function:ident -> $result:ty) => {
        impl $crate::command::Request for $request {
            const NAME: &'static str = $name;
            type Result = $result;

            async fn run(
                &self,
                seaworthy: &$crate::Seaworthy,
                cx: &seaworthy_core::Context,
            ) -> $crate::Reply<$result> {
                seaworthy.$function(self, cx).await
            }
        }
    };
}

/// An enum of requests: each variant is one, or itself an enum of requests.
macro_rules! requests {
    ($(#[$meta:meta])* $enum:ident { $($(#[$one:meta])* $variant:ident($request:ty),)+ }) => {
        $(#[$meta])*
        #[cfg_attr(feature = "clap", derive(clap::Subcommand))]
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$one])* $variant($request),)+
        }

        impl<F: $crate::command::Frontend> $crate::command::Dispatch<F> for $enum
        where
            $($request: $crate::command::Dispatch<F>,)+
        {
            fn dispatch(self, frontend: &F) -> impl Future<Output = F::Output> + Send {
                async move {
                    // Each is as large as the largest part of its command.
                    match self {
                        $(Self::$variant(request) => Box::pin(request.dispatch(frontend)).await,)+
                    }
                }
            }
        }

        impl $crate::command::Named for $enum {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(request) => request.name(),)+
                }
            }
        }
    };
}

pub(crate) use {request, requests};
