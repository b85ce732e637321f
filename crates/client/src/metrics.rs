//! The metrics of the process.

use metric_families::exposition;
use model::RequestType;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// All metrics as text for Prometheus ([`metric_families::EXPOSITION_TYPE`]). Writes no row.
    ///
    /// # Errors
    /// [`ClientError::RoleTooLow`], [`ClientError::OtherCompany`], both logged; [`ClientError::Provider`] where a refusal
    /// could not be logged.
    pub async fn get_metrics(self) -> Result<String, ClientError> {
        self.admit_operator(RequestType::GetMetrics).await?;
        Ok(exposition(&self.shared.metrics))
    }
}
