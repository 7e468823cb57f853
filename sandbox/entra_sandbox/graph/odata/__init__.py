"""What every resource shares of OData 4.01 as Microsoft Graph speaks it."""
