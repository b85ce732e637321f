//! The metrics of the process, for whoever runs it.

use metric_families::exposition;
use model::RequestType;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Everything that is counted, as text for Prometheus ([`metric_families::EXPOSITION_TYPE`]). Leaves no row.
    ///
    /// # Errors
    /// [`ClientError::RoleTooLow`], [`ClientError::OtherCompany`], both on record; [`ClientError::Provider`] where that
    /// could not be logged.
    pub async fn get_metrics(self) -> Result<String, ClientError> {
        self.admit_operator(RequestType::GetMetrics).await?;
        Ok(exposition(&self.shared.metrics))
    }
}
