"""Still pictures: their pixels at full depth, their metadata, and the formats that hold them."""
